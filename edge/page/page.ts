/**
 * The page at `/$/`: a few live endpoints on one connection, and a button that cuts it, so that everybody can see
 * what a resume is. Its subscriptions are the client's, as anybody's would be.
 */
import * as v from "valibot";
import { type Connection, connect, SubscribeError, webSocketTransport } from "../../shared/client/client.ts";
import { resolveEndpoint } from "../../shared/client/endpoint-url.ts";
import { CuttableTransport } from "./cuttable.ts";
import { type Resumption, summarize } from "./proof.ts";
import { Tile } from "./tile.ts";

/** Relative, since a proxy may have the edge below a path of its own. */
const EDGE = "..";
const STREAMS = "streams";

/** How long a cut lasts. */
const CUT_SECONDS = 5;

/** What is shown at first, of the topics that are exposed. */
const SHOWN = [
  "/quotes/AAPL",
  "/flights/ATL",
  "/flights/ORD",
  "/flights/DFW",
  "/flights/LAX",
  "/earthquakes/alaska",
  "/earthquakes/california",
];

const StreamsAnswer = v.object({
  streams: v.array(v.object({ topic: v.string(), title: v.string(), publish: v.optional(v.string()) })),
});
type StreamList = v.InferOutput<typeof StreamsAnswer>["streams"];

const elements = {
  cut: find("#cut", HTMLButtonElement),
  summary: find("#summary", HTMLElement),
  add: find("#add", HTMLFormElement),
  path: find("#path", HTMLInputElement),
  problem: find("#problem", HTMLElement),
  tiles: find("#tiles", HTMLElement),
  streams: find("#streams", HTMLElement),
  template: find("#tile", HTMLTemplateElement),
};
const transport = new CuttableTransport(webSocketTransport);
/** Where nothing is public, an edge takes no connection without a token: it is made for the first tile. */
let connection: Connection | undefined;
/** By canonical path. */
const tiles = new Map<string, Tile>();
/** Topics to which everybody may publish. */
const open = new Set<string>();
let isCut = false;

elements.cut.addEventListener("click", cut);
elements.add.addEventListener("submit", (event) => {
  event.preventDefault();
  addTyped(elements.path.value.trim());
});
void showStreams();

async function showStreams(): Promise<void> {
  const streams = await readStreams();
  if (streams === undefined) {
    elements.problem.textContent = `${STREAMS} could not be read`;
    return;
  }
  if (streams.length === 0)
    elements.problem.textContent =
      "Nothing here is public. What there is needs a token, and this page has none; docs/access.md says how to read with one.";
  for (const { topic, publish } of streams) if (publish === "public") open.add(topic);
  for (const path of SHOWN) if (streams.some(({ topic }) => path.startsWith(`/${topic}/`))) add(path);
  for (const { topic, title } of streams) {
    const item = document.createElement("li");
    const code = document.createElement("code");
    code.textContent = `/${topic}/KEY`;
    item.append(code, ` ${title}`);
    elements.streams.append(item);
  }
}

async function readStreams(): Promise<StreamList | undefined> {
  try {
    const response = await fetch(STREAMS);
    const answer = v.safeParse(StreamsAnswer, await response.json());
    return answer.success ? answer.output.streams : undefined;
  } catch {
    return undefined;
  }
}

function addTyped(text: string): void {
  try {
    const tile = add(text.startsWith("/") ? text : `/${text}`);
    elements.add.reset();
    elements.problem.textContent = "";
    tile.element.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (!(error instanceof SubscribeError)) throw error;
    const hint = error.code === "closed" ? "load the page again" : "an endpoint is /topic/key";
    elements.problem.textContent = `${error.code}: ${hint}`;
  }
}

/** The tile of an endpoint that is shown already is that one. Throws SubscribeError. */
function add(url: string): Tile {
  const { path } = resolveEndpoint(url);
  const shown = tiles.get(path);
  if (shown !== undefined) return shown;
  const { template } = elements;
  const takesPublishes = open.has(path.split("/")[1] ?? "");
  const more = { isCut: () => isCut, onProgress: showSummary, takesPublishes };
  connection ??= connect(EDGE, { transport });
  const tile = new Tile(path, { template, connection, ...more });
  tiles.set(path, tile);
  tile.onRemove(() => tiles.delete(path));
  elements.tiles.append(tile.element);
  return tile;
}

function cut(): void {
  isCut = true;
  for (const tile of tiles.values()) tile.beginResumption();
  transport.cut();
  elements.cut.disabled = true;
  countDown(CUT_SECONDS);
}

function countDown(seconds: number): void {
  if (seconds === 0) {
    isCut = false;
    elements.cut.disabled = false;
    elements.cut.textContent = "Cut the connection";
    transport.mend();
    showSummary();
    return;
  }
  elements.cut.textContent = `Cut for ${seconds} s…`;
  elements.summary.textContent = "The socket is closed. Updates go on without this page.";
  setTimeout(() => countDown(seconds - 1), 1_000);
}

function showSummary(): void {
  const resumptions = [...tiles.values()].flatMap(({ resumption }): Resumption[] =>
    resumption ? [resumption] : [],
  );
  if (!isCut && resumptions.length > 0) elements.summary.textContent = summarize(resumptions);
}

function find<T extends HTMLElement>(selector: string, type: new () => T): T {
  const element = document.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`the page has no ${selector}`);
  return element;
}
