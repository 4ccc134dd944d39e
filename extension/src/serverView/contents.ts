import { l10n } from "vscode";
import type { RecentRequest } from "../recentRequests";
import type { ServerState } from "../server/state";
import type { HardwareSeen } from "./hardware";
import { hardwareRows } from "./hardwareRows";
import { requestRows } from "./requestRows";
import { canSend, type Route } from "./routes";
import type { Row } from "./row";
import { type Figures, serverRow } from "./serverRows";

/** All that the view shows, at one moment. */
export interface Picture {
  readonly state: ServerState;
  readonly figures: Figures | undefined;
  readonly routes: readonly Route[];
  /** In the order in which they were asked. */
  readonly requests: readonly RecentRequest[];
  readonly hardware: HardwareSeen;
}

/** The view's rows. None when there is nothing to tell: the editor then says how to begin. */
export function contents(picture: Picture): readonly Row[] {
  const { state, figures, routes, requests, hardware } = picture;
  const others = [...requestRows(requests), ...hardwareRows(hardware)];
  if (state.kind === "stopped" && others.length === 0) return [];
  const published = hardware.kind === "read" ? hardware.hardware.published : [];
  return [serverRow(state, figures, published), ...routeRows(state, routes), ...others];
}

function routeRows(state: ServerState, routes: readonly Route[]): readonly Row[] {
  if (state.kind !== "ready" || routes.length === 0) return [];
  const model = state.health.model ?? "";
  return [
    {
      id: "routes",
      icon: "globe",
      label: l10n.t("Routes"),
      children: routes.map((route) => {
        const { method, path, summary } = route;
        const can = ["route"];
        if (canSend(route, model)) can.push(method === "GET" ? "send browse" : "send");
        return {
          id: routeId(route),
          icon: method === "GET" ? "arrow-down" : "arrow-up",
          label: `${method} ${path}`,
          description: summary,
          can: can.join(" "),
        };
      }),
    },
  ];
}

/** By which a route's row is known. */
export function routeId({ method, path }: Route): string {
  return `routes/${method} ${path}`;
}
