/** What this runs from: the sources, or the package `distributary`, which holds the same files compiled to JavaScript. */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";

/** The folder of the sources, or of what was compiled from them; every file lies at the same place in both. */
export const root = join(import.meta.dirname, "../..");

const ending = extname(import.meta.filename);
export const isPackage = ending === ".js";

/** The file of a script, which is named without its ending. */
export const scriptFile = (name: string) => join(root, name + ending);

/** Where Node keeps what becomes of the scripts. */
export const compileCache = join(root, isPackage ? ".cache" : "node_modules/.cache/distributary");

/** Of the package vega-datasets, the two files that are fed are all that the package holds. */
export const DATA_SETS = "data-sets";

/** The list that comes along, of what `start` feeds, and of quotes for people to publish. */
const EXAMPLE = join(root, "streams.json");
/** The folder of what users write. Of a package that is the one in which it is used. */
export const home = isPackage ? process.cwd() : root;
/** The list that counts if none is named. */
export const STREAMS_FILE = join(home, "streams.json");
/** For a first look, which needs none. */
export const STREAMS_OR_EXAMPLE = existsSync(STREAMS_FILE) ? STREAMS_FILE : EXAMPLE;
