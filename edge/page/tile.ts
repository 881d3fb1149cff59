/** One endpoint on the page: a subscription, and what is shown of it. */
import * as v from "valibot";
import type { Connection, ReceivedUpdate, SharedSubscription } from "../../shared/client/client.ts";
import { kindText, preview } from "./preview.ts";
import {
  beginResumption,
  describeResumption,
  outcome,
  type Resumption,
  withCaughtUp,
  withUpdate,
  withVerdict,
} from "./proof.ts";

const SHOWN_UPDATES = 5;

const PublishAnswer = v.union([
  v.object({ position: v.string() }),
  v.object({ error: v.object({ code: v.string(), message: v.string() }) }),
]);

export interface TileSettings {
  readonly template: HTMLTemplateElement;
  readonly connection: Connection;
  /** Whether the page has cut its connection just now. */
  readonly isCut: () => boolean;
  /** The subscription got further with a resumption. */
  readonly onProgress: () => void;
  readonly takesPublishes: boolean;
}

export class Tile {
  readonly element: HTMLElement;
  readonly subscription: SharedSubscription;
  /** Of the last cut. */
  resumption: Resumption | undefined;
  readonly #settings: TileSettings;
  readonly #recent: ReceivedUpdate[] = [];
  #problem = "";
  #waitsFor = "";
  #drawing = false;

  /** Throws SubscribeError if `path` is no endpoint's. */
  constructor(path: string, settings: TileSettings) {
    this.#settings = settings;
    const subscription = settings.connection.subscribe(path);
    this.subscription = subscription;
    this.element = cloneTile(settings.template);
    this.element.dataset.endpoint = subscription.endpoint;
    const link = document.createElement("a");
    link.textContent = readable(subscription.endpoint);
    link.href = urlOf(subscription.endpoint);
    this.#field("name").replaceChildren(link);
    this.#takePublishes(settings.takesPublishes);
    this.#listen();
    this.#draw();
  }

  /** Before its connection is cut. */
  beginResumption(): void {
    this.resumption = beginResumption(this.subscription.position);
    this.#draw();
  }

  remove(): void {
    this.subscription.close();
    this.element.remove();
  }

  /** When the person who looks at it has no use for it any more. */
  onRemove(listener: () => void): void {
    this.#field("remove").addEventListener("click", () => {
      this.remove();
      listener();
    });
  }

  #takePublishes(isOpen: boolean): void {
    const form = this.#field("publish");
    form.hidden = !isOpen;
    const input = form.querySelector("input");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void publish(this.subscription.endpoint, input?.value ?? "").then((said) =>
        this.#set("published", said),
      );
    });
  }

  #listen(): void {
    const { subscription } = this;
    subscription.on("update", (update) => {
      this.#recent.unshift(update);
      if (this.#recent.length > SHOWN_UPDATES) this.#recent.pop();
      this.#resume((resumption) => withUpdate(resumption, update));
    });
    subscription.on("verdict", ({ recovered, cause }) =>
      this.#resume((resumption) => withVerdict(resumption, recovered, cause)),
    );
    subscription.on("live", () => this.#resume(withCaughtUp));
    subscription.on("gap", () => this.#draw());
    subscription.on("wait", ({ message }) => {
      this.#waitsFor = message;
      this.#draw();
    });
    subscription.on("connection", () => this.#draw());
    subscription.on("error", ({ code, message }) => {
      this.#problem = `${code}: ${message}`;
      this.#draw();
    });
  }

  #resume(step: (resumption: Resumption) => Resumption): void {
    if (this.resumption !== undefined && !this.resumption.caughtUp) {
      this.resumption = step(this.resumption);
      this.#settings.onProgress();
    }
    this.#draw();
  }

  /** At most once a frame, however many updates come. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawNow();
    });
  }

  #drawNow(): void {
    const { statistics, position } = this.subscription;
    const [latest] = this.#recent;
    const { name, text } = this.#state();
    this.element.dataset.state = name;
    this.#set("state", text);
    this.#set("value", latest === undefined ? "no record yet" : preview(latest.value, 600));
    this.#set("kind", latest === undefined ? "" : kindText(latest.value));
    this.#set("position", position ?? "–");
    this.#set("time", latest?.timestamp === undefined ? "–" : timeText(latest.timestamp));
    this.#set("received", String(statistics.received));
    this.#set("duplicates", String(statistics.duplicates));
    this.#set("gaps", String(statistics.gaps));
    this.#set("proof", this.resumption === undefined ? "" : describeResumption(this.resumption));
    this.element.dataset.proof = this.resumption === undefined ? "open" : outcome(this.resumption);
    this.#drawChain();
  }

  #state(): { readonly name: string; readonly text: string } {
    const { phase, connection } = this.subscription;
    switch (phase) {
      case "live":
        return { name: "live", text: "live" };
      case "catchingUp":
        return { name: "resuming", text: "catching up" };
      case "asked":
        return { name: "resuming", text: "resuming" };
      case "waiting":
        return { name: "waiting", text: `waiting: ${this.#waitsFor}` };
      case "away":
        if (this.#settings.isCut()) return { name: "cut", text: "cut" };
        return { name: "resuming", text: connection.state === "backingOff" ? "reconnecting" : "connecting" };
      case "ended":
        return { name: "closed", text: `closed: ${this.#problem || (connection.reason ?? "")}` };
    }
  }

  /** The newest first: what a row's q says is the p of the row below it. */
  #drawChain(): void {
    const rows = this.#recent.map((update, i) => {
      const row = document.createElement("tr");
      const cells = [`${update.offset}`, `${update.previous ?? "none"}`, preview(update.value, 60)];
      for (const text of cells) row.insertCell().textContent = text;
      const before = this.#recent.slice(i + 1).find(({ epoch }) => epoch === update.epoch);
      if (before !== undefined)
        row.dataset.chain = (update.previous ?? -1) <= before.offset ? "whole" : "broken";
      return row;
    });
    this.#field("chain").replaceChildren(...rows);
  }

  #set(name: string, text: string): void {
    const field = this.#field(name);
    if (field.textContent !== text) field.textContent = text;
  }

  #field(name: string): HTMLElement {
    const field = this.element.querySelector<HTMLElement>(`[data-field="${name}"]`);
    if (field === null) throw new Error(`the tile has no ${name}`);
    return field;
  }
}

/** Relative to the page, since a proxy may have the edge below a path of its own. */
const urlOf = (endpoint: string) => `..${endpoint}`;

/** In words. What was published comes back as an update, like anybody's. */
async function publish(endpoint: string, value: string): Promise<string> {
  try {
    const answer = await fetch(urlOf(endpoint), { method: "POST", body: value });
    const said = v.safeParse(PublishAnswer, await answer.json());
    if (!said.success) return `answered with status ${answer.status}`;
    return "position" in said.output
      ? `published at ${said.output.position}`
      : `${said.output.error.code}: ${said.output.error.message}`;
  } catch {
    return "the edge can't be reached";
  }
}

function cloneTile(template: HTMLTemplateElement): HTMLElement {
  const clone = template.content.firstElementChild?.cloneNode(true);
  if (!(clone instanceof HTMLElement)) throw new Error("the template holds no element");
  return clone;
}

/** For reading: a key that is UTF-8 as its characters. */
function readable(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function timeText(timestamp: number): string {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime()) ? String(timestamp) : date.toLocaleString();
}
