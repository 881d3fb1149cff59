/**
 * What a client says of its subscriptions on a connection of many endpoints, in as few messages as their size allows (M2).
 */
import { CLIENT_LIMITS } from "./client-limits.ts";
import { formatStart, type Start } from "./position.ts";

export type Statement =
  | {
      readonly kind: "subscribe";
      readonly id: number;
      readonly endpoint: string;
      readonly from: Start;
      /** Whether to be told how many subscribers there are (O4). */
      readonly occupancy?: true | undefined;
    }
  | { readonly kind: "unsubscribe"; readonly id: number; readonly endpoint: string };

/** Messages, in the order of the statements. */
export function encodeStatements(statements: readonly Statement[]): string[] {
  if (statements.length === 0) return [];
  const messages: string[] = [];
  let list: string[] = [];
  let size = 0;
  const close = () => {
    if (list.length > 0)
      messages.push(list.length === 1 ? list.join() : `${OPENING}${list.join()}${CLOSING}`);
    list = [];
    size = OPENING.length + CLOSING.length;
  };
  close();
  for (const text of statements.map(encode)) {
    // Paths and positions are ASCII, so that a length is a size. The comma between two counts, too.
    if (size + text.length + 1 > CLIENT_LIMITS.subscriberMessageBytes) close();
    list.push(text);
    size += text.length + 1;
  }
  close();
  return messages;
}

const OPENING = '{"subs":[';
const CLOSING = "]}";

function encode(statement: Statement): string {
  const { id, endpoint } = statement;
  if (statement.kind === "unsubscribe") return JSON.stringify({ id, unsub: endpoint });
  const { from, occupancy } = statement;
  return JSON.stringify({ id, sub: endpoint, from: formatStart(from), occupancy });
}
