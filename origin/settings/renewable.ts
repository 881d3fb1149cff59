/**
 * Secrets that lie in files, which others replace while the origin runs: asked for whenever a connection is made, and read
 * anew each time. A file may be half-written, missing or unreadable just then, or its partner not yet replaced. What
 * was good before is used instead, which is told of once, and the files are read again the next time.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { TIME_LIMITS } from "../time-limits.ts";

/** A file of a network's that hangs holds up no connection for longer. */
const READ_MS = TIME_LIMITS.secretFileMs;
/** No key, and no bundle of authorities, is as large. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A secret, and how it comes from its files. */
export interface Renewable<T> {
  readonly first: T;
  /** What each file held at start, by its path. */
  readonly files: ReadonlyMap<string, string>;
  /** Makes it of what the files hold. Throws what is wrong, without the secret. */
  readonly read: (textOf: (path: string) => string) => T;
}

/** What a secret is read with. */
export interface Reading<Name extends string> {
  /** Throws if the file can't be read. */
  readonly readFile: (path: string) => string;
  /** Takes what is wrong with a setting. */
  readonly wrong: (name: Name, problem: string) => undefined;
}

/**
 * Reads a secret as it is at start. Undefined if `read` says so, which tells `wrong` why.
 * @param read Is called again, with other files, as often as they change.
 */
export function renewable<T, Name extends string>(
  { readFile, wrong }: Reading<Name>,
  read: (reading: Reading<Name>) => T | undefined,
): Renewable<T> | undefined {
  const files = new Map<string, string>();
  const noting = (path: string) => {
    const text = readFile(path);
    files.set(path, text);
    return text;
  };
  const first = read({ readFile: noting, wrong });
  if (first === undefined) return undefined;
  const again = (textOf: (path: string) => string): T => {
    const problems: string[] = [];
    const value = read({
      readFile: textOf,
      wrong: (name, problem) => {
        problems.push(`${name} ${problem}`);
      },
    });
    if (value === undefined || problems.length > 0) throw new Error(problems.join("; "));
    return value;
  };
  return { first, files, read: again };
}

export interface RenewalPorts {
  /** Undefined if it can't be read a second time. Rejects if it can't be read. */
  readonly readFile: (path: string) => Promise<string | undefined>;
  /** Called before what the files hold now is first used, with that, and with those that have changed. */
  readonly renewed: (texts: ReadonlyMap<string, string>, changed: readonly string[]) => void;
  /** Called once for each reason, until the files can be used again. */
  readonly unusable: (why: string) => void;
}

export class Renewal<T> {
  readonly #secret: Renewable<T>;
  readonly #ports: RenewalPorts;
  #last: T;
  #texts: ReadonlyMap<string, string>;
  readonly #told = new Set<string>();
  /** One at a time: a file that hangs takes one of Node's few threads, and not all of them. */
  #reading: Promise<T> | undefined;

  constructor(secret: Renewable<T>, ports: RenewalPorts) {
    this.#secret = secret;
    this.#ports = ports;
    this.#last = secret.first;
    this.#texts = secret.files;
  }

  /** As its files have it now, or had it when they were last good. Never rejects. */
  async current(): Promise<T> {
    if (this.#texts.size === 0) return this.#last;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    const late = Promise.withResolvers<T>();
    const paths = [...this.#texts.keys()].join(", ");
    const timer = setTimeout(
      () => late.resolve(this.#unusable(`${paths}: no answer within ${READ_MS} ms`)),
      READ_MS,
    );
    const found = await Promise.race([this.#reading, late.promise]);
    clearTimeout(timer);
    return found;
  }

  /** Never rejects. */
  async #read(): Promise<T> {
    const found = new Map<string, string | Error>();
    for (const [path, before] of this.#texts) found.set(path, await this.#textOf(path, before));
    const isSame = [...found].every(([path, text]) => text === this.#texts.get(path));
    if (isSame && this.#told.size === 0) return this.#last;
    const texts = new Map<string, string>();
    try {
      this.#last = this.#secret.read((path) => {
        const text = found.get(path) ?? new Error(`${path} was not read at start`);
        if (text instanceof Error) throw text;
        texts.set(path, text);
        return text;
      });
    } catch (error) {
      return this.#unusable(reasonOf(error));
    }
    const changed = [...texts].flatMap(([path, text]) => (text === this.#texts.get(path) ? [] : [path]));
    this.#texts = texts;
    this.#told.clear();
    this.#ports.renewed(texts, changed);
    return this.#last;
  }

  async #textOf(path: string, before: string): Promise<string | Error> {
    try {
      return (await this.#ports.readFile(path)) ?? before;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #unusable(why: string): T {
    if (!this.#told.has(why)) this.#ports.unusable(why);
    this.#told.add(why);
    return this.#last;
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/**
 * What a file holds now; undefined for a pipe or a device, which gives what it has only once. It is opened so that a
 * pipe to which nobody writes is not waited for.
 */
export async function readRenewed(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (found.isFIFO() || found.isCharacterDevice() || found.isSocket()) return undefined;
    if (found.size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
