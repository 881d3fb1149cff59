/**
 * Bundles the page's script and the Worker with esbuild, as wrangler does it: text files are imported as text,
 * `cloudflare:*` and `workerd:*` are the runtime's. Files appear whole or not at all, since several edges may
 * start at once.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type BuildOptions, build, type Plugin, stop } from "esbuild";
import { type Format, LIST, withList } from "./bundled.ts";

/** What the Worker imports as text, and serves to browsers: the script of its page, `dist/page.js`, and the client, `dist/client.js`. */
export async function bundlePage(root: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, "shared/client/package.json"), "utf8")) as {
    version: string;
  };
  await bundleTo(join(root, "dist/client.js"), {
    absWorkingDir: root,
    entryPoints: ["shared/client/index.ts"],
    target: "es2022",
    minify: true,
    legalComments: "none",
    banner: { js: `/* @distributary/client ${version} */` },
  });
  await bundleTo(join(root, "dist/page.js"), {
    absWorkingDir: root,
    entryPoints: ["edge/page/page.ts"],
    platform: "browser",
    target: "es2022",
    minify: true,
  });
}

export interface WorkerBundle {
  /** The project's folder. */
  readonly root: string;
  /** The entry, relative to `root`. */
  readonly main: string;
  /** Absolute path of the file that takes the place of the project's streams.json. */
  readonly streams: string;
  readonly outfile: string;
  /** Default: "esm". */
  readonly format?: Format;
}

/** The Worker as one module, for a runtime on this machine. Needs what bundlePage() makes. */
export async function bundleWorker({
  root,
  main,
  streams,
  outfile,
  format = "esm",
}: WorkerBundle): Promise<void> {
  const bundled = await bundleWithoutList({ root, main, format });
  writeWhole(outfile, withList(bundled, readFileSync(streams, "utf8")));
}

/** The same, but for the list of what is exposed (bundled.ts). */
export async function bundleWithoutList({
  root,
  main,
  format,
}: Required<Pick<WorkerBundle, "root" | "main" | "format">>): Promise<string> {
  return bundleText({
    format,
    absWorkingDir: root,
    entryPoints: [main],
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "workerd:*"],
    loader: { ".html": "text" },
    plugins: [
      substitute({
        [join(root, "streams.json")]: `export default ${LIST};`,
        [join(root, "dist/page.js")]: textModule(join(root, "dist/page.js")),
        [join(root, "dist/client.js")]: textModule(join(root, "dist/client.js")),
      }),
    ],
  });
}

async function bundleTo(outfile: string, options: BuildOptions): Promise<void> {
  writeWhole(outfile, await bundleText(options));
}

/** @throws Error whose message is esbuild's, with file and line. */
async function bundleText(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    bundle: true,
    format: "esm",
    logLevel: "silent",
    ...options,
    write: false,
  }).finally(stop); // Its service is a process that would stay as long as this one.
  return outputFiles?.[0]?.text ?? "";
}

function writeWhole(outfile: string, text: string): void {
  mkdirSync(dirname(outfile), { recursive: true });
  const unfinished = `${outfile}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, outfile);
}

/** A module that exports the text of a file. */
const textModule = (path: string) => `export default ${JSON.stringify(readFileSync(path, "utf8"))};`;

/** Scripts that take the place of files; keys are absolute paths. */
function substitute(files: Readonly<Record<string, string>>): Plugin {
  return {
    name: "substitute",
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const file = resolve(resolveDir, path);
        return file in files ? { path: file, namespace: "substitute" } : undefined;
      });
      build.onLoad({ filter: /.*/, namespace: "substitute" }, ({ path }) => ({
        contents: files[path] ?? "",
        loader: "js",
      }));
    },
  };
}
