/**
 * What a client of the load speaks:
 *
 * - `distributary`: PROTOCOL.md, with a verdict.
 * - `bare`: its updates only, as floors send them: whoever is connected gets them.
 * - `centrifugo`: Centrifugo's JSON protocol.
 */
export type Dialect = "distributary" | "bare" | "centrifugo";
