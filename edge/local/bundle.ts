/**
 * Bundles the page's script and the Worker with esbuild, as wrangler does it: text files are imported as text,
 * `cloudflare:*` and `workerd:*` are the runtime's. Files appear whole or not at all, since several edges may
 * start at once.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type BuildOptions, build, type Loader, type Plugin, stop } from "esbuild";

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
  /** A module of its own, or one that is called with what it imports. Default: "esm". */
  readonly format?: "esm" | "cjs";
}

/** The Worker as one module, for a runtime on this machine. Needs what bundlePage() makes. */
export async function bundleWorker({
  root,
  main,
  streams,
  outfile,
  format = "esm",
}: WorkerBundle): Promise<void> {
  await bundleTo(outfile, {
    format,
    absWorkingDir: root,
    entryPoints: [main],
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "workerd:*"],
    loader: { ".html": "text" },
    plugins: [
      substitute({
        [join(root, "streams.json")]: { path: streams, loader: "json" },
        [join(root, "dist/page.js")]: { path: join(root, "dist/page.js"), loader: "text" },
        [join(root, "dist/client.js")]: { path: join(root, "dist/client.js"), loader: "text" },
      }),
    ],
  });
}

/** @throws Error whose message is esbuild's, with file and line. */
async function bundleTo(outfile: string, options: BuildOptions): Promise<void> {
  const { outputFiles } = await build({
    bundle: true,
    format: "esm",
    logLevel: "silent",
    ...options,
    write: false,
  }).finally(stop); // Its service is a process that would stay as long as this one.
  mkdirSync(dirname(outfile), { recursive: true });
  const unfinished = `${outfile}.${process.pid}`;
  writeFileSync(unfinished, outputFiles?.[0]?.contents ?? "");
  renameSync(unfinished, outfile);
}

interface Substitute {
  /** Absolute path of the file that is read instead. */
  readonly path: string;
  readonly loader: Loader;
}

/** Reads other files, or with other loaders, than esbuild would; keys are absolute paths. */
function substitute(files: Readonly<Record<string, Substitute>>): Plugin {
  return {
    name: "substitute",
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const instead = files[resolve(resolveDir, path)];
        return instead && { path: instead.path, namespace: "substitute", pluginData: instead.loader };
      });
      build.onLoad({ filter: /.*/, namespace: "substitute" }, ({ path, pluginData }) => ({
        contents: readFileSync(path, "utf8"),
        loader: pluginData as Loader,
      }));
    },
  };
}
