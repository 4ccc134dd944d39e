/** A fragment, such as those that the backend prints after "fix:", as a sentence. */
export function sentence(fragment: string): string {
  const begun = fragment.charAt(0).toUpperCase() + fragment.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
