import { isDeepStrictEqual } from "node:util";
import * as vscode from "vscode";
import type { Row } from "./row";

/** A row in its place. The editor knows a place by its object, so it outlives the row's changes. */
export interface Place {
  row: Row;
  children: readonly Place[];
}

/** Gives rows to the editor, and tells it of those alone that have changed. */
export class RowTree implements vscode.TreeDataProvider<Place> {
  readonly #changed = new vscode.EventEmitter<Place[] | undefined>();
  #places: readonly Place[] = [];

  readonly onDidChangeTreeData = this.#changed.event;

  show(rows: readonly Row[]): void {
    const changed: Place[] = [];
    const before = this.#places;
    this.#places = merged(before, rows, changed);
    if (!isDeepStrictEqual(ids(before), ids(this.#places))) this.#changed.fire(undefined);
    else if (changed.length > 0) this.#changed.fire(changed);
  }

  getChildren(place?: Place): Place[] {
    return [...(place ? place.children : this.#places)];
  }

  getTreeItem({ row, children }: Place): vscode.TreeItem {
    const item = new vscode.TreeItem(
      row.label,
      children.length > 0
        ? vscode.TreeItemCollapsibleState.Expanded
        : vscode.TreeItemCollapsibleState.None,
    );
    const said = row.description ? `${row.label}: ${row.description}` : row.label;
    item.id = row.id;
    item.description = row.description ?? "";
    item.tooltip = row.tooltip ?? said;
    item.iconPath = new vscode.ThemeIcon(
      row.icon,
      row.colour === undefined ? undefined : new vscode.ThemeColor(row.colour),
    );
    item.accessibilityInformation = { label: said };
    if (row.can !== undefined) item.contextValue = row.can;
    if (row.action) {
      const { command, arguments: given = [] } = row.action;
      item.command = { title: row.label, command, arguments: [...given] };
    }
    return item;
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

/** The places for these rows; those that were there are kept, and collected when they changed. */
function merged(
  before: readonly Place[],
  rows: readonly Row[],
  changed: Place[],
): readonly Place[] {
  return rows.map((row) => {
    const place = before.find((known) => known.row.id === row.id);
    if (!place) return { row, children: merged([], row.children ?? [], []) };
    const children = merged(place.children, row.children ?? [], changed);
    const isSame =
      isDeepStrictEqual(own(place.row), own(row)) &&
      isDeepStrictEqual(ids(place.children), ids(children));
    place.row = row;
    place.children = children;
    if (!isSame) changed.push(place);
    return place;
  });
}

/** What a row says itself. */
function own(row: Row): Row {
  return { ...row, children: [] };
}

function ids(places: readonly Place[]): readonly string[] {
  return places.map(({ row }) => row.id);
}
