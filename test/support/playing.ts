/** Plays mutated inputs to a decoder; a failure says with which one it failed. */
import { Mutations } from "./mutations.ts";

/** What each decoder is given: so many inputs, by the chance of a seed. */
export interface Inputs {
  readonly count: number;
  readonly seed: number;
}

export async function playText(
  { count, seed }: Inputs,
  good: readonly string[],
  look: (text: string, mutations: Mutations) => void | Promise<void>,
): Promise<void> {
  const mutations = new Mutations(seed);
  for (let i = 0; i < count; i++) {
    const text = mutations.text(good);
    try {
      await look(text, mutations);
    } catch (error) {
      throw new Error(`seed ${seed}, input ${i}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
}

export async function playBytes(
  { count, seed }: Inputs,
  good: readonly Uint8Array[],
  look: (bytes: Uint8Array<ArrayBuffer>, mutations: Mutations) => void | Promise<void>,
): Promise<void> {
  const mutations = new Mutations(seed);
  for (let i = 0; i < count; i++) {
    const bytes = mutations.bytes(good);
    try {
      await look(bytes, mutations);
    } catch (error) {
      throw new Error(`seed ${seed}, input ${i}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
    }
  }
}

/** Cheap where it holds, since it is asked millions of times. */
export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
