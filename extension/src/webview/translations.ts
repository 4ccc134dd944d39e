/**
 * The page's words in the editor's language, which the host has put into the page.
 *
 * To be imported before all else: many words are looked up while their modules are read.
 */

import * as l10n from "@vscode/l10n";
import { translationsId } from "../panel/page";

const given = document.getElementById(translationsId)?.textContent;
if (given) l10n.config({ contents: given });
