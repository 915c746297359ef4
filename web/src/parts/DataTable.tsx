import {
  type ColumnDef,
  createColumnHelper,
  rowSortingFeature,
  type SortingState,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type ReactNode, useMemo, useRef, useSyncExternalStore } from 'react';
import { texts } from '../texts.ts';

const features = tableFeatures({ rowSortingFeature });
type Features = typeof features;

export interface Column<T> {
  id: string;
  name: string;
  /** Its width, as a track of a CSS grid. */
  width: string;
  cell(item: T): ReactNode;
  sortable?: boolean;
}

interface DataTableProps<T> {
  label: string;
  /** Sorted and filtered. */
  rows: readonly T[];
  columns: readonly Column<T>[];
  keyOf(item: T): string;
  /** The id of the column that sorts, after `-` when downward; empty for the table's own order. */
  sort: string;
  onSort(sort: string): void;
  /** Stands in place of the rows when there are none. */
  empty: ReactNode;
}

const ROW_HEIGHT = 44;
/** On a narrow window a row is a card with a line for each column. */
const LINE_HEIGHT = 26;
const CARD_PADDING = 18;
const NARROW = matchMedia('(max-width: 720px)');

function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      NARROW.addEventListener('change', listener);
      return () => NARROW.removeEventListener('change', listener);
    },
    () => NARROW.matches,
  );
}

/** A table of any length: only the rows in view, and a few around them, are made. */
export function DataTable<T extends object>({ label, rows, columns, keyOf, sort, onSort, empty }: DataTableProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();
  const rowHeight = narrow ? columns.length * LINE_HEIGHT + CARD_PADDING : ROW_HEIGHT;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => keyOf(rows[index]!),
    overscan: 6,
  });
  const items = virtualizer.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const end = (items.at(-1)?.index ?? -1) + 1;
  // The rows come sorted and filtered, so that the table needs only those in view: a model of ten thousand at each change
  // would hold up the page.
  const inView = useMemo(() => rows.slice(first, end), [rows, first, end]);
  const definitions = useMemo(() => columns.map((column) => define(column)), [columns]);
  const sorting: SortingState = sort === '' ? [] : [{ id: sort.replace(/^-/, ''), desc: sort.startsWith('-') }];
  const table = useTable({
    features,
    columns: definitions,
    data: inView,
    getRowId: keyOf,
    manualSorting: true,
    state: { sorting },
    onSortingChange(update) {
      const [next] = typeof update === 'function' ? update(sorting) : update;
      onSort(next === undefined ? '' : `${next.desc ? '-' : ''}${next.id}`);
    },
  });
  const tracks = columns.map(({ width }) => width).join(' ');

  const move = (event: KeyboardEvent) => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[aria-rowindex]');
    const step = STEPS[event.key];
    if (row === null || step === undefined) return;
    const index = Math.min(rows.length - 1, Math.max(0, step(Number(row.ariaRowIndex) - 2, rows.length)));
    event.preventDefault();
    virtualizer.scrollToIndex(index);
    // The row is made when the scroll has been rendered.
    const focus = (triesLeft: number) => {
      const target = scroller.current?.querySelector<HTMLElement>(`[aria-rowindex="${index + 2}"] :is(a, button)`);
      if (target) target.focus();
      else if (triesLeft > 0) requestAnimationFrame(() => focus(triesLeft - 1));
    };
    requestAnimationFrame(() => focus(20));
  };

  return (
    <div
      className={narrow ? 'table narrow' : 'table'}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      ref={scroller}
      // Scrolled by the keyboard as well.
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region has to take the focus
      tabIndex={0}
      onKeyDown={move}
    >
      <div role="rowgroup" className="head">
        {table.getHeaderGroups().map((group) => (
          <div role="row" aria-rowindex={1} className="row" key={group.id} style={{ gridTemplateColumns: tracks }}>
            {group.headers.map((header) => (
              <div role="columnheader" key={header.id} aria-sort={ariaSort(header.column.getIsSorted())}>
                {header.column.getCanSort() ? (
                  <button type="button" className="sort" onClick={header.column.getToggleSortingHandler()}>
                    <table.FlexRender header={header} />
                    <span aria-hidden="true">{SORT_MARKS[String(header.column.getIsSorted())]}</span>
                  </button>
                ) : (
                  <table.FlexRender header={header} />
                )}
              </div>
            ))}
          </div>
        ))}
      </div>
      <div role="rowgroup" className="body" style={{ height: virtualizer.getTotalSize() }}>
        {table.getRowModel().rows.map((row, index) => {
          const item = items[index]!;
          return (
            <div
              role="row"
              className="row"
              key={row.id}
              aria-rowindex={item.index + 2}
              style={{
                height: rowHeight,
                transform: `translateY(${item.start}px)`,
                ...(narrow ? {} : { gridTemplateColumns: tracks }),
              }}
            >
              {row.getAllCells().map((cell) => (
                <div role="cell" key={cell.id} data-name={String(cell.column.columnDef.header)}>
                  <table.FlexRender cell={cell} />
                </div>
              ))}
            </div>
          );
        })}
      </div>
      {rows.length === 0 && (
        <div role="row" className="empty">
          <div role="cell">{empty}</div>
        </div>
      )}
    </div>
  );
}

function define<T extends object>(column: Column<T>): ColumnDef<Features, T> {
  // With an accessor, without which the library offers no sorting; the value itself is not used.
  return createColumnHelper<Features, T>().accessor((item) => item, {
    id: column.id,
    header: column.name,
    cell: ({ row }) => column.cell(row.original),
    enableSorting: column.sortable ?? false,
    sortDescFirst: false,
  }) as ColumnDef<Features, T>;
}

const SORT_MARKS: Readonly<Record<string, string>> = { asc: ' ▲', desc: ' ▼', false: '' };

function ariaSort(sorted: false | 'asc' | 'desc'): 'ascending' | 'descending' | undefined {
  if (sorted === false) return undefined;
  return sorted === 'asc' ? 'ascending' : 'descending';
}

/** The rows that a key leads to, by the present one and the number of rows. */
const STEPS: Readonly<Record<string, (row: number, count: number) => number>> = {
  ArrowDown: (row) => row + 1,
  ArrowUp: (row) => row - 1,
  PageDown: (row) => row + 10,
  PageUp: (row) => row - 10,
  Home: () => 0,
  End: (_, count) => count - 1,
};

/** What a table says when nothing matches, or nothing has been read yet. */
export function emptyText(complete: boolean, none: string): string {
  return complete ? none : texts.loading;
}
