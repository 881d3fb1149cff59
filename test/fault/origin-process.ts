/** An origin, as `npm run origin` runs it, and all that may befall it. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../shared/node/commands.ts";
import { eventually } from "../support/deadline.ts";
import { Child } from "../support/deployment.ts";
import { atExit } from "./at-exit.ts";

const START_MS = 60_000;
/** After which one that ended by itself is started again, as whatever runs services on a machine does. */
const AGAIN_MS = 1_000;

export class OriginProcess {
  readonly name: string;
  readonly dataDir: string;
  /** Whether it has an account with Kafka. */
  readonly hasAccount: boolean;
  readonly #env: NodeJS.ProcessEnv;
  /** A line of EDGES_FILE for each. */
  readonly #edges: readonly string[];
  readonly #edgesFile: string;
  /** Whether the one that runs has said so: before that it may not know what a SIGHUP means. */
  #hasStarted = false;
  #child: Child | undefined;
  /** Events of its log by name, over all its lives. */
  readonly events = new Map<string, number>();
  /** The one that this process ends. */
  #ending: Child | undefined;
  /** Starts it again. */
  #again: NodeJS.Timeout | undefined;
  #unread = "";
  readonly #hear: (line: string) => void;
  readonly #wrong: (problem: string) => void;

  /**
   * @param settings What it stores in, which edges it dials, each by an address and a key that bears its name, and all else that is
   *   in its environment.
   * @param hear Hears each line of its log.
   * @param wrong Hears that it ended by itself, which no fault makes it do, and what it said last. It is started again then, so
   *   that what comes later can still be judged.
   */
  constructor(
    name: string,
    settings: {
      readonly dataDir: string;
      readonly edges: readonly string[];
      readonly env: NodeJS.ProcessEnv;
    },
    { hear, wrong }: { readonly hear: (line: string) => void; readonly wrong: (problem: string) => void },
  ) {
    const { dataDir, edges, env } = settings;
    this.name = name;
    this.dataDir = dataDir;
    this.#hear = hear;
    this.#wrong = wrong;
    this.hasAccount = env.KAFKA_SASL_USERNAME !== undefined;
    this.#edges = edges;
    // Beside its folder, which may be a disk that is full.
    this.#edgesFile = `${dataDir}-edges`;
    this.#env = { ...env, DATA_DIR: dataDir, EDGES_FILE: this.#edgesFile };
    mkdirSync(dataDir, { recursive: true });
    this.#writeEdges(() => true);
  }

  /** What Kafka knows it by. */
  get clientId(): string {
    return `distributary-${this.name}`;
  }

  get pid(): number | undefined {
    return this.#child?.exited ? undefined : this.#child?.process.pid;
  }

  /** What it said last. */
  get output(): string {
    return this.#child?.output ?? "";
  }

  start(): void {
    clearTimeout(this.#again);
    if (this.pid !== undefined) throw new Error(`${this.name} runs already`);
    const child = new Child("origin/main.ts", this.#env, COMMANDS.origin.nodeFlags);
    this.#child = child;
    this.#hasStarted = false;
    child.process.once("exit", (code, signal) => {
      if (this.#ending === child) return;
      this.#wrong(`${this.name} ended by itself (${signal ?? code}): ${child.output.slice(-1_000)}`);
      this.#again = setTimeout(() => this.start(), AGAIN_MS);
    });
    child.process.stderr?.on("data", (data: Buffer) => this.#count(data.toString()));
    child.process.once(
      "close",
      atExit(() => child.process.kill("SIGKILL")),
    );
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** From now on it dials these of its edges, by their numbers. Resolves when it has been told, if it runs. */
  async dial(isDialled: (edge: number) => boolean): Promise<void> {
    this.#writeEdges(isDialled);
    await eventually(() => this.#hasStarted || this.pid === undefined, `${this.name} has started`, START_MS);
    if (this.pid !== undefined) this.#child?.process.kill("SIGHUP");
  }

  /** Stops the process where it is, or lets it go on: half-open to everyone who talks to it. */
  freeze(frozen: boolean): void {
    this.#child?.process.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Only while it is stopped. */
  deleteIndex(): void {
    rmSync(join(this.dataDir, "origin"), { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    clearTimeout(this.#again);
    this.#ending = this.#child;
    await this.#child?.stop(signal);
  }

  #writeEdges(isDialled: (edge: number) => boolean): void {
    const lines = this.#edges.filter((_, edge) => isDialled(edge));
    writeFileSync(`${this.#edgesFile}.new`, lines.join("\n"));
    renameSync(`${this.#edgesFile}.new`, this.#edgesFile);
  }

  #count(text: string): void {
    const lines = (this.#unread + text).split("\n");
    this.#unread = lines.pop() ?? "";
    for (const line of lines) {
      this.#hear(line);
      const event = /"event":"([a-z_]+)"/.exec(line)?.[1];
      if (event === "started") this.#hasStarted = true;
      if (event !== undefined) this.events.set(event, (this.events.get(event) ?? 0) + 1);
    }
  }
}
