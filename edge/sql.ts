/** An object's own database, as much of the platform's SQL as is used here; what it costs is counted. */
import { count } from "./operations.ts";

export interface Sql {
  exec(
    query: string,
    ...values: (string | number)[]
  ): {
    toArray(): Record<string, unknown>[];
    readonly rowsRead: number;
    readonly rowsWritten: number;
  };
}

/** Runs a statement. Returns its rows. */
export function run(sql: Sql, query: string, ...values: (string | number)[]): Record<string, unknown>[] {
  const cursor = sql.exec(query, ...values);
  const rows = cursor.toArray();
  count("rows_read", cursor.rowsRead);
  count("rows_written", cursor.rowsWritten);
  return rows;
}
