/** Bytes of characters by which frames are read. */

export const NEWLINE = 0x0a;
export const ZERO = 0x30;
export const NINE = 0x39;
/** `}`: a head ends with it. */
export const END = 0x7d;
