/** The simulated shapes as tables of docs/fan-out.md. Pure. */
import { type Row, rowsOf, SCENARIOS, type Scenario } from "./scenarios.ts";

/** From the root of the project. */
export const DOCUMENT = "docs/fan-out.md";

const BEGIN = "<!-- simulated: npm run shapes -->";
const END = "<!-- end of what is simulated -->";

const HEAD = [
  "| Shape | Shards | Objects | Link messages/s | Deliveries/s | Fullest object: connections, messages/s, MB, cores | Gathering adds, ms, p50 / p99 | Dollars a month | Too much for |",
  "|---|--:|--:|--:|--:|--:|--:|--:|---|",
];

/** The document's text with tables of today's model. Throws if it has no place for them. */
export function renewed(text: string): string {
  const [from, until] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || until < from) throw new Error(`${DOCUMENT} has no lines ${BEGIN} and ${END}`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${tables()}\n${text.slice(until)}`;
}

function tables(): string {
  return SCENARIOS.map((scenario) =>
    [`### ${titleOf(scenario)}`, "", ...HEAD, ...rowsOf(scenario).map(lineOf), ""].join("\n"),
  ).join("\n");
}

function titleOf({ connections, each, popularity }: Scenario): string {
  const spread = popularity === "even" ? "all equally popular" : "Zipf";
  return `${whole(connections / 1e6)} million subscribers, ${each} ${each === 1 ? "endpoint" : "endpoints"} each, ${spread}`;
}

function lineOf({
  shape,
  carriers,
  exists,
  gatherMs,
  shards,
  layout,
  dollars,
  observed,
  passed,
}: Row): string {
  const { fullest, linkMessages, deliveries } = layout;
  const name = [
    shape,
    ...(carriers === "sessions" ? ["by sessions"] : []),
    ...(observed === undefined ? [] : [`${gatherMs} ms`]),
    ...(exists ? [] : ["*not built*"]),
  ].join(", ");
  const cells = [
    name,
    whole(shards),
    whole(layout.objects),
    whole(linkMessages.expected),
    whole(deliveries.expected),
    `${whole(fullest.sockets)}, ${whole(fullest.messages)}, ${figure(fullest.bytes / 1e6)}, ${figure(fullest.cores)}`,
    observed === undefined ? "–" : `${whole(observed.gathered.p50)} / ${whole(observed.gathered.p99)}`,
    `${whole(dollars.lower)} – ${whole(dollars.upper)}`,
    passed.join("; ") || "–",
  ];
  return `| ${cells.join(" | ")} |`;
}

const whole = (number: number) => Math.round(number).toLocaleString("en-US");

/** To two digits, or, if there are more of them, to whole ones. */
const figure = (number: number) => (number >= 10 ? whole(number) : number.toPrecision(2));
