import { l10n } from "vscode";
import type { Question, Target } from "../results/runner";
import { shortAddress } from "./address";
import type { Comparison } from "./protocol";

/** The requests of a comparison, in the order of its columns: what differs stands side by side. */
export function questionsOf(
  { prompt, maxTokens, temperatures, other }: Comparison,
  own: Target,
): readonly Question[] {
  const servers = [
    { target: own, name: l10n.t("This server") },
    ...(other
      ? [
          {
            target: { address: other.address, model: other.model, device: "" },
            name: shortAddress(other.address),
          },
        ]
      : []),
  ];
  return temperatures.flatMap((temperature) =>
    servers.map(({ target, name }) => ({
      request: { prompt, max_tokens: maxTokens, temperature },
      target,
      variant: other
        ? l10n.t("{0}, temperature {1}", name, temperature)
        : l10n.t("Temperature {0}", temperature),
    })),
  );
}
