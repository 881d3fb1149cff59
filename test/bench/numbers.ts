/** Reads settings that are numbers or words of a list, and collects what is wrong with them, by their flags. Pure. */
export class Numbers<Name extends string> {
  readonly problems: string[] = [];
  readonly #values: Readonly<Record<Name, string | undefined>>;

  constructor(values: Readonly<Record<Name, string | undefined>>) {
    this.#values = values;
  }

  whole(name: Name, least: number, most = Number.MAX_SAFE_INTEGER): number {
    const text = this.#values[name];
    const value = /^\d+$/.test(text ?? "") ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      const range = most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
      this.problems.push(`${flag(name)} must be a whole number${range}, not ${text}`);
    }
    return value;
  }

  positive(name: Name, most = Number.MAX_VALUE): number {
    const value = Number(this.#values[name]);
    if (!(value > 0 && value <= most)) {
      const bound = most === Number.MAX_VALUE ? "" : `, at most ${most}`;
      this.problems.push(`${flag(name)} must be a number above 0${bound}, not ${this.#values[name]}`);
    }
    return value;
  }

  /** undefined if it isn't set. */
  oneOf<T extends string>(name: Name, all: readonly T[]): T | undefined {
    const value = this.#values[name];
    const found = all.find((candidate) => candidate === value);
    if (value !== undefined && found === undefined)
      this.problems.push(`${flag(name)} must be one of ${all.join(", ")}, not ${value}`);
    return found;
  }
}

const flag = (name: string) => `--${name.toLowerCase().replaceAll("_", "-")}`;
