/** The edge as `npm run edge` runs it, on workerd with nothing before it, and an origin that a test plays. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { descendants, residentBytes } from "../bench/proc.ts";
import { eventually } from "./deadline.ts";
import { Child } from "./deployment.ts";
import { EDGE_KEYS } from "./edge-harness.ts";
import { freePort } from "./ports.ts";
import { ScriptedOrigin } from "./scripted-origin.ts";

export class WorkerdEdge {
  /** Of its data. */
  readonly folder = mkdtempSync(join(tmpdir(), "edge-"));
  readonly port: number;
  readonly url: string;
  readonly origin: ScriptedOrigin;
  readonly #settings: Readonly<Record<string, string>>;
  #child: Child | undefined;

  private constructor(port: number, settings: Readonly<Record<string, string>>, name: string) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.origin = new ScriptedOrigin({ url: this.url, name });
    this.#settings = settings;
  }

  /** Resolves when it has its origin, of this name. */
  static async start(
    settings: Readonly<Record<string, string>> = {},
    name = "scripted",
  ): Promise<WorkerdEdge> {
    const edge = new WorkerdEdge(await freePort(), settings, name);
    await edge.startAgain();
    return edge;
  }

  /** One that was killed. */
  async startAgain(): Promise<void> {
    const own = { PORT: String(this.port), DATA_DIR: this.folder, UPLINK_KEYS: EDGE_KEYS, OPERATIONS: "on" };
    const child = new Child("edge/local/serve.ts", { ...process.env, ...own, ...this.#settings });
    this.#child = child;
    await eventually(
      () => child.output.includes("the edge listens on"),
      () => `listening\n${child.output}`,
    );
    await this.origin.connect();
  }

  async kill(): Promise<void> {
    await this.#child?.stop("SIGKILL");
  }

  /** What its workerd has. */
  residentBytes(): number {
    const pids = descendants(this.#child?.process.pid ?? 0, "workerd");
    return pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
  }

  async operations(): Promise<Record<string, number>> {
    return (await (await fetch(`${this.url}/$/operations`)).json()) as Record<string, number>;
  }

  async close(): Promise<void> {
    this.origin.cut();
    await this.#child?.stop();
    rmSync(this.folder, { recursive: true });
  }
}
