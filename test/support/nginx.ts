/** nginx as a configuration of examples/proxies has it, on ports of a test's own, if there is an nginx. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./deadline.ts";

const NGINX = process.env.NGINX ?? "nginx";
/** What a configuration listens on. */
const LISTENS = "127.0.0.1:8080";

/** Why there is none here. */
export function noNginx(): string | undefined {
  try {
    execFileSync(NGINX, ["-v"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "no nginx on this machine; NGINX can name one";
  }
}

export class Nginx {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** @param adapt Puts what a test has in the place of what the configuration says. */
  static async start(name: string, port: number, adapt: (text: string) => string): Promise<Nginx> {
    const recipe = readFileSync(join(import.meta.dirname, "../../examples/proxies", name), "utf8");
    const nginx = new Nginx(adapt(recipe).replace(LISTENS, `127.0.0.1:${port}`));
    await eventually(async () => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect").finally(() => socket.destroy());
      return true;
    }, "nginx listens");
    return nginx;
  }

  private constructor(text: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "distributary-nginx-"));
    const file = join(this.#folder, "nginx.conf");
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${this.#folder}/${name};`)
      .join("\n");
    const small = text.replace("65536", "512").replace("worker_processes auto", "worker_processes 1");
    writeFileSync(file, small.replace("access_log off;", `access_log off;\n${paths}`));
    this.#child = spawn(NGINX, ["-c", file, "-p", this.#folder, "-e", "stderr", "-g", "daemon off;"], {
      stdio: "ignore",
    });
    this.#ended = once(this.#child, "close");
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGQUIT");
    const hurry = setTimeout(() => this.#child.kill("SIGKILL"), 2_000);
    await this.#ended;
    clearTimeout(hurry);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
