/** "Stop the recording": consent is taken back, in any words that mean it. */
import { LANGUAGES, type LanguagePack } from '../language/index.ts';
import { compilePhrase } from '../understand/phrases.ts';

const PHRASES: Readonly<Record<string, readonly string[]>> = {
  en: [
    'stop|end|pause|cancel|quit|finish|halt * recording|record|taping',
    'turn|switch off * recording|recorder',
    'turn|switch * recording|recorder off',
    'delete|erase|remove|destroy|wipe * recording|recorded|tape',
    '(do not|not want|not wish|not agree|never|no longer) * record|recorded|recording|taped|taping',
    '^ no recording',
    'withdraw|revoke|take * consent|permission',
  ],
  de: [
    'aufnahme|aufzeichnung|mitschnitt * stoppen|stoppe|stoppt|beenden|beende|abbrechen|anhalten|löschen|lösche|ausschalten|abschalten|einstellen|aus|ab|weg',
    'stoppen|stoppe|stopp|stop|beenden|beende|löschen|lösche|vernichten * aufnahme|aufzeichnung|mitschnitt|aufnehmen|aufzeichnen',
    'nicht|keine|kein|nie * aufgenommen|aufgezeichnet|mitgeschnitten|aufnahme|aufzeichnung|mitschnitt|aufnehmen|aufzeichnen|mitschneiden',
    'hören|hör|höre * auf * aufnehmen|aufzeichnen|aufzunehmen|aufzuzeichnen|mitzuschneiden',
    'nehmen|nimm|zeichnen|zeichne|schneiden * nicht * auf|mit',
    'einwilligung|zustimmung|einverständnis * zurück|widerrufen|widerrufe|zurückziehen',
    'widerrufe|widerrufen|ziehe * einwilligung|zustimmung|einverständnis',
  ],
  fr: [
    'arrêtez|arrêter|arrête|stoppez|stopper|stop|coupez|couper|cessez|cesser|interrompez|terminez * enregistrement|enregistrer',
    'effacez|effacer|efface|supprimez|supprimer|supprime|détruisez|détruire * enregistrement|enregistré|enregistrée',
    'ne|pas|non|plus * enregistrer|enregistrez|enregistre|enregistré|enregistrée|enregistrement',
    'retire|retirer|révoque|révoquer|annule * consentement|accord',
  ],
  es: [
    'pare|para|parar|paren|detenga|detener|detén|termine|terminar|cancele|corte|cortar|interrumpa|apague|apagar|deje|dejen|deja * grabación|grabar|grabando|grabarme',
    'borre|borrar|borra|borren|elimine|eliminar|elimina|destruya|destruir * grabación|grabado|grabada',
    'no * grabe|graben|grabar|graba|grabación|grabado|grabada|grabarme|grabéis|grabes',
    'retiro|retirar|revoco|revocar * consentimiento|permiso',
  ],
};

/** The opposite of what these words would say without the first: "do not stop the recording". */
const NEGATED: Readonly<Record<string, string>> = {
  en: 'not stop|end|pause|delete|erase|turn|switch|cancel * recording',
  de: '(nicht löschen|nicht stoppen|nicht beenden|nicht abbrechen)',
  fr: '(n arrêtez pas|n arrêter pas|n effacez pas|ne coupez pas|ne supprimez pas)',
  es: 'no pare|detenga|borre|elimine|corte|termine * grabación',
};

export function createWithdrawalFinder(pack: LanguagePack): (tokens: readonly string[]) => boolean {
  const patterns = (PHRASES[pack.code] ?? []).map(compilePhrase);
  const negated = compilePhrase(NEGATED[pack.code] ?? '^ ^');
  return (tokens) => {
    const said = tokens.map((word) => `${word} `).join('');
    return !negated.test(said) && patterns.some((pattern) => pattern.test(said));
  };
}

const MAX_CHARS = 1000;

/** The same on a text as it was recognised, partial ones too. */
export function isWithdrawal(text: string, language: string): boolean {
  const pack = LANGUAGES[language];
  return pack !== undefined && createWithdrawalFinder(pack)(pack.tokens(text.slice(0, MAX_CHARS)));
}
