/** Why a connection is ended from here though nothing is wrong with the broker. */

/** The connection was given up to ask over another one. */
export class OtherWayError extends Error {}

/** An answer was given up, since less was wanted of a line as slow as this. */
export class TooSlowError extends OtherWayError {}
