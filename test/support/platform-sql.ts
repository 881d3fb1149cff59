/** What the platform offers of a database, on one of Node's; with its bound of a value, too. */
import type { DatabaseSync } from "node:sqlite";
import type { Sql } from "../../edge/sql.ts";

/** Of a row: as documented; newer runtimes take more. */
const ROW_BYTES = 2_000_000;

export function platformSql(db: DatabaseSync): Sql {
  return {
    exec(query, ...values) {
      for (const value of values)
        if (typeof value === "string" && value.length > ROW_BYTES) throw new Error("string or blob too big");
      const rows = db.prepare(query).all(...values);
      return { toArray: () => rows, rowsRead: rows.length, rowsWritten: 0 };
    },
  };
}
