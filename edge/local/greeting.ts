/**
 * What `start` prints when all is ready. Pure; every line below the first works as it is pasted, but for the
 * {key} of which nothing is known.
 */
import { typed } from "../../shared/node/commands.ts";
import { isPackage } from "../../shared/node/installation.ts";

export interface Running {
  /** Without a slash at the end. */
  readonly url: string;
  /** Topics that are exposed, in the order of the file. */
  readonly topics: readonly string[];
  readonly feed: boolean;
  /** Flags without which `produce` would look elsewhere. */
  readonly produceFlags: readonly string[];
  /** Topics to which everybody may publish. */
  readonly open: readonly string[];
  /** Kafka is read: which keys there are isn't known, and who produces has tools of their own. */
  readonly kafka: boolean;
  /** What the lines carry, which may be a variable of the shell; undefined if they need none. */
  readonly token?: string | undefined;
}

/** More topics than this aren't listed one by one. */
const LISTED = 8;

/** A path that can be watched: where the feed writes, if it runs. Undefined if nothing is exposed. */
export function examplePath({ topics, feed }: Pick<Running, "topics" | "feed">): string | undefined {
  const own = ownRecord(topics);
  return feed && topics.includes("flights") ? "/flights/ATL" : own && `/${own.topic}/${own.key}`;
}

export function greeting(running: Running): string {
  const { url, topics, produceFlags, token } = running;
  const path = examplePath(running);
  const own = ownRecord(topics);
  const lines = [`ready ${url}`, "", `  page       ${url}/$/`];
  if (token !== undefined)
    lines.push("             shows what is public; the rest needs a token, which it has none of");
  if (token === "$TOKEN")
    lines.push("             TOKEN: one of an issuer in AUTH_ISSUERS that allows to read this");
  if (running.kafka) {
    lines.push(...patterns(url, topics));
    if (token !== undefined && topics[0] !== undefined)
      lines.push(...readers(url, `/${topics[0].replaceAll("*", "example")}/{key}`, token));
  } else if (path !== undefined && own !== undefined)
    lines.push(
      ...readers(url, path, token),
      ...(running.open.includes(own.topic)
        ? [`  publish    curl -X POST ${quoted(`${url}/${own.topic}/${own.key}`)} -d ${quoted(own.value)}`]
        : []),
      `  produce    ${typed("produce", [own.topic, own.key, quoted(own.value), ...produceFlags.map(quoted)].join(" "))}`,
    );
  return `${lines.join("\n")}\n\n`;
}

/** The token stands in double quotes, in which a shell puts a variable in; those of a JWT need none. */
function readers(url: string, path: string, token: string | undefined): string[] {
  const socket = url.replace("http", "ws") + path;
  if (token === undefined)
    return [
      `  latest     curl -i ${quoted(url + path)}`,
      `  stream     node -e ${quoted(watcher(JSON.stringify(socket)))}`,
    ];
  const protocols = ["distributary.v1", `distributary.bearer.${token}`];
  const watched = watcher(`${JSON.stringify(socket)}, process.argv.slice(1)`);
  return [
    `  latest     curl -i -H "Authorization: Bearer ${token}" ${quoted(url + path)}`,
    `  stream     node -e ${quoted(watched)} ${protocols.map((one) => `"${one}"`).join(" ")}`,
    `  wscat      npx wscat ${protocols.map((one) => `-s "${one}"`).join(" ")} -c ${quoted(socket)}`,
  ];
}

/** Where the keys of each topic are, to be read with GET or streamed as a WebSocket. */
function patterns(url: string, topics: readonly string[]): string[] {
  const lines = topics.slice(0, LISTED).map((topic) => `  keys       ${url}/${topic}/{key}`);
  const more = topics.length - lines.length;
  return more > 0 ? [...lines, `             and ${more} more topics`] : lines;
}

/**
 * The global WebSocket is missing in a Node with which the sources can be used, and the package `ws` where the package is used. A
 * message may hold several frames (F10).
 */
const watcher = (dialled: string) =>
  isPackage
    ? `new WebSocket(${dialled}).onmessage = ({ data }) => console.log(data.replaceAll("\\x1e", "\\n"))`
    : `new (require("ws"))(${dialled}).on("message", (message) => console.log(String(message).replaceAll("\\x1e", "\\n")))`;

/** A record for a person to write, to a topic that the feed leaves alone if there is one. */
function ownRecord(topics: readonly string[]) {
  if (topics.includes("quotes")) return { topic: "quotes", key: "AAPL", value: '{"bid":229.1}' };
  // Of a pattern, a topic that it matches.
  const topic = topics[0]?.replaceAll("*", "example");
  return topic === undefined ? undefined : { topic, key: "example", value: '{"hello":"world"}' };
}

/** Quoted for POSIX shells, if that is needed. */
function quoted(text: string): string {
  return /^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
