/**
 * What `npm start` prints when all is ready. Pure; every line below the first works as it is pasted, but for the
 * {key} of which nothing is known.
 */

export interface Running {
  /** Without a slash at the end. */
  readonly url: string;
  /** Topics that are exposed, in the order of the file. */
  readonly topics: readonly string[];
  readonly feed: boolean;
  /** Flags without which `npm run produce` would look elsewhere. */
  readonly produceFlags: readonly string[];
  /** Kafka is read: which keys there are isn't known, and who produces has tools of their own. */
  readonly kafka: boolean;
}

/** More topics than this aren't listed one by one. */
const LISTED = 8;

/** A path that can be watched: where the feed writes, if it runs. Undefined where nothing is exposed. */
export function examplePath({ topics, feed }: Pick<Running, "topics" | "feed">): string | undefined {
  const own = ownRecord(topics);
  return feed && topics.includes("flights") ? "/flights/ATL" : own && `/${own.topic}/${own.key}`;
}

export function greeting(running: Running): string {
  const { url, topics, produceFlags } = running;
  const path = examplePath(running);
  const own = ownRecord(topics);
  const lines = [`ready ${url}`, "", `  page       ${url}/$/`];
  if (running.kafka) lines.push(...patterns(url, topics));
  else if (path !== undefined && own !== undefined)
    lines.push(
      `  latest     curl -i ${quoted(url + path)}`,
      `  stream     node -e ${quoted(watcher(url.replace("http", "ws") + path))}`,
      `  produce    ${["npm run produce --", own.topic, own.key, quoted(own.value), ...produceFlags.map(quoted)].join(" ")}`,
    );
  return `${lines.join("\n")}\n\n`;
}

/** Where the keys of each topic are, to be read with GET or streamed as a WebSocket. */
function patterns(url: string, topics: readonly string[]): string[] {
  const lines = topics.slice(0, LISTED).map((topic) => `  keys       ${url}/${topic}/{key}`);
  const more = topics.length - lines.length;
  return more > 0 ? [...lines, `             and ${more} more topics`] : lines;
}

/** For any Node: the global WebSocket is missing in older ones. A message may hold several frames (F10). */
const watcher = (url: string) =>
  `new (require("ws"))("${url}").on("message", (message) => console.log(String(message).replaceAll("\\x1e", "\\n")))`;

/** A record for a person to write, to a topic that the feed leaves alone if there is one. */
function ownRecord(topics: readonly string[]) {
  if (topics.includes("quotes")) return { topic: "quotes", key: "AAPL", value: '{"bid":229.1}' };
  // Of a pattern, a topic that it matches.
  const topic = topics[0]?.replaceAll("*", "example");
  return topic === undefined ? undefined : { topic, key: "example", value: '{"hello":"world"}' };
}

/** For POSIX shells, and no quotes where none are needed. */
function quoted(text: string): string {
  return /^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
