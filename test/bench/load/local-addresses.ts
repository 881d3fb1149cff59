/** Which address of this machine clients come from. Pure. */

/** Of an address Linux gives 28,232 ports to connections that go out, and looks at one half of them before the other. */
const QUICK_PORTS = 14_000;

/**
 * Of each process of clients; undefined: as the system has it. One is named only if there are more clients than one address
 * serves quickly: a socket that is bound to an address is given no port that another socket has been bound to, not even
 * one that closed within the last minute, and if clients have dialled often, the search for one takes longer than all else that a
 * connect does.
 *
 * @param url of the server
 */
export function localAddresses(
  url: string,
  clients: number,
  processes: number,
): readonly (string | undefined)[] {
  const areNamed = clients > QUICK_PORTS && new URL(url).hostname === "127.0.0.1";
  return Array.from({ length: processes }, (_, i) => (areNamed ? `127.0.0.${2 + i}` : undefined));
}
