/**
 * What was revoked or lifted at any edge, as far as this origin was told, in a file that outlives it: D4 of INTERNALS.md. Of
 * two of the same issuer and id the newer one is kept, until it lapses. Names in it are hashes.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import { isNewer, type Revocation, RevocationSchema } from "../../shared/protocol/revocation.ts";

/** Those of one edge, and as many that were lifted. */
const MAX_KEPT = 20_000;

const FileSchema = v.object({ revocations: v.array(RevocationSchema) });

export interface KeptPorts {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The file can't be read, or written. */
  readonly failed: (why: string) => void;
}

export class KeptRevocations {
  readonly #file: string;
  readonly #ports: KeptPorts;
  /** By issuer and id. */
  #all: ReadonlyMap<string, Revocation>;

  constructor(file: string, ports: KeptPorts) {
    this.#file = file;
    this.#ports = ports;
    this.#all = new Map(this.#read().map((one) => [nameOf(one), one]));
  }

  /** Those that haven't lapsed. */
  all(): readonly Revocation[] {
    const now = this.#ports.now();
    return [...this.#all.values()].filter(({ until }) => until > now);
  }

  /** Whether it, or a newer one in its place, is on the disk. */
  keep(revocation: Revocation): boolean {
    const name = nameOf(revocation);
    if (!isNewer(revocation, this.#all.get(name))) return true;
    const next = new Map(this.all().map((one) => [nameOf(one), one]));
    next.set(name, revocation);
    if (next.size > MAX_KEPT) return false;
    try {
      this.#write([...next.values()]);
    } catch (error) {
      this.#ports.failed(reasonOf(error));
      return false;
    }
    this.#all = next;
    return true;
  }

  #read(): readonly Revocation[] {
    let text: string;
    try {
      text = readFileSync(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#ports.failed(reasonOf(error));
      return [];
    }
    try {
      return v.parse(FileSchema, JSON.parse(text)).revocations;
    } catch {
      this.#ports.failed(`${this.#file} holds no list of revocations`);
      return [];
    }
  }

  /** Whole or not at all, whatever happens meanwhile. */
  #write(revocations: readonly Revocation[]): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    const beside = `${this.#file}.new`;
    const file = openSync(beside, "w", 0o600);
    try {
      // All of it, or it throws: a single write may take a part, as on a disk that is nearly full.
      writeFileSync(file, Buffer.from(JSON.stringify({ revocations })));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, this.#file);
  }
}

const nameOf = ({ meant, id }: Revocation) => `${meant.issuer} ${id}`;

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
