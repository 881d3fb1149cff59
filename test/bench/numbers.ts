/** Reads settings that are numbers or words of a list, and collects what is wrong with them. Pure. */
export class Numbers<Name extends string> {
  readonly problems: string[] = [];
  readonly #values: Readonly<Record<Name, string | undefined>>;

  constructor(values: Readonly<Record<Name, string | undefined>>) {
    this.#values = values;
  }

  whole(name: Name, least: number): number {
    const value = Number(this.#values[name]);
    if (!Number.isSafeInteger(value) || value < least)
      this.problems.push(`${name} must be a whole number, ${least} or more, not ${this.#values[name]}`);
    return value;
  }

  positive(name: Name): number {
    const value = Number(this.#values[name]);
    if (!(value > 0) || !Number.isFinite(value))
      this.problems.push(`${name} must be a number above 0, not ${this.#values[name]}`);
    return value;
  }

  /** undefined where it isn't set. */
  oneOf<T extends string>(name: Name, all: readonly T[]): T | undefined {
    const value = this.#values[name];
    const found = all.find((candidate) => candidate === value);
    if (value !== undefined && found === undefined)
      this.problems.push(`${name} must be one of ${all.join(", ")}, not ${value}`);
    return found;
  }
}
