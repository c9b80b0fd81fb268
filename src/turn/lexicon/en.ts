import type { TurnWords } from './types.ts';

const list = (text: string): readonly string[] => text.split(', ');

export const EN: TurnWords = {
  answers: list('yes, no, yeah, yep, yup, nope, okay, ok, sure, correct, right, exactly, definitely, absolutely'),
  digits: list('zero, oh, one, two, three, four, five, six, seven, eight, nine'),
  doubles: list('double, triple'),
  values: list(
    'monday, tuesday, wednesday, thursday, friday, saturday, sunday, today, tomorrow, tonight, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty, thirty, forty, fifty, first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, oclock, noon, midnight, morning, afternoon, evening, am, pm, january, february, march, april, may, june, july, august, september, october, november, december, people, persons',
  ),
  openers: list(
    'and, or, but, so, because, if, when, while, which, who, with, without, to, for, from, of, at, on, in, by, about, between, until, into, the, a, an, my, your, his, her, our, their, is, are, was, were, will, would, can, could, should, i, we, than, very, double, triple',
  ),
  openPhrases: list(
    'my number is, my name is, the number is, it is, its, that is, i would like, id like, i want, i need, i am, im, let me, do you have, can i, could you, would you, i think, there are, there is, around about',
  ),
  fillers: list('um, uh, uhm, erm, er, hmm, hm, well, let me see, let me think, lets see, you know, how do i say'),
  holds: list(
    'wait, wait a minute, wait a moment, wait a second, hold on, hang on, one moment, one moment please, one second, just a moment, just a second, just a minute, give me a second, give me a moment, hold on please, bear with me',
  ),
  closers: list(
    'please, thanks, thank you, thank you very much, goodbye, bye, isnt it, right, okay, thats it, thats all, that is all, is that possible',
  ),
  names: list('my name is, the name is, name is'),
  announcements: list(
    'have a question, have a problem, got a question, got a problem, calling about, calling because, to book, to reserve, to order, to make a, to make an, to change my, to move my, spoke to, talked to, spoke with, talked with',
  ),
  questions: list(
    'can you, could you, can i, could i, can we, could we, may i, would you, will you, do you, does it, did you, are you, are there, is that, is there, is it, was that, have you, has it, what is, what are, what time, whats, when is, when are, when do, when can, when will, where is, where are, where do, where can, who is, how much, how many, how long, how late, how do, how can, why is, why do, why did, should i',
  ),
  backchannels: list(
    'uh huh, mm hm, mhm, mm, mmhm, uhuh, yeah, yes, yep, ok, okay, right, sure, i see, oh, ah, aha, alright, great, good, cool, hm, hmm, yeah yeah',
  ),
  stops: list('stop, wait, no, nope, hold on, sorry, excuse me, hello, but'),
};
