/** The ten best. Of all others nothing is kept: who isn't among them can only come back with a better score. */
const PLACES = 10;

export interface Place {
  readonly player: string;
  readonly score: number;
}

export class Leaderboard {
  #places: readonly Place[] = [];

  /** Best first; of equals, the first by name. Doesn't depend on the order in which scores came. */
  get places(): readonly Place[] {
    return this.#places;
  }

  /** Counts only where it is better than the player's best; what is no number is none. */
  add(player: string, score: number): void {
    const before = this.#places.find((place) => place.player === player)?.score ?? Number.NEGATIVE_INFINITY;
    if (!(score > before)) return;
    const others = this.#places.filter((place) => place.player !== player);
    this.#places = [...others, { player, score }].sort(byPlace).slice(0, PLACES);
  }
}

function byPlace(a: Place, b: Place): number {
  return b.score - a.score || (a.player < b.player ? -1 : 1);
}
