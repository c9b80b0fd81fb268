/** A document that cannot be read; the message completes "FILE ...". It is reported and left out, the others are indexed. */
export class UnreadableDocument extends Error {}
