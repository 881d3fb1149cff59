/** The plot of what a delivery takes of each system. Pure. */
import type { TopLevelSpec } from "vega-lite";
import { type Measured, RIVAL_TITLES, RIVALS, shapeName } from "./figures.ts";

export function costPlot(measured: readonly Measured[]): TopLevelSpec {
  const values = measured.flatMap(({ shape, taken }) =>
    RIVALS.flatMap((rival) => {
      const one = taken[rival];
      if (one === undefined) return [];
      const row = { shape: shapeName(shape), system: RIVAL_TITLES[rival] };
      return [
        { ...row, part: "edge, or all in one", cpu: one.edge },
        { ...row, part: "origin", cpu: one.origin },
      ];
    }),
  );
  return {
    title: "CPU for each delivery: clients × endpoints × updates/s",
    background: "white",
    config: { legend: { labelLimit: 0, orient: "bottom" }, axis: { labelLimit: 0, gridOpacity: 0.4 } },
    data: { values },
    mark: "bar",
    width: 420,
    encoding: {
      row: { field: "shape", type: "nominal", title: null, sort: null },
      y: { field: "system", type: "nominal", title: null, sort: null },
      x: { field: "cpu", type: "quantitative", title: "µs" },
      color: { field: "part", type: "nominal", title: null, sort: null },
    },
    resolve: { scale: { x: "independent" } },
  };
}
