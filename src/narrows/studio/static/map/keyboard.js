// Keyboard commands of the stage.

/** @type {Record<string, [number, number]>} right and up are positive */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const PAN = 60; // pixels
const ZOOM = 1.5;

/**
 * @typedef {object} KeyActions
 * @property {() => boolean} hasRow true if the keyboard or the pointer is at a row
 * @property {(dx: number, dy: number) => void} step to the next point in a direction
 * @property {(dx: number, dy: number) => void} pan pixels to the right and down
 * @property {(factor: number) => void} zoom
 * @property {() => void} showAll
 * @property {() => void} pick
 * @property {(() => void) | null} extendPath null if codes cannot be decoded
 * @property {() => void} cancel
 */

/** Run the action of a key. @param {KeyboardEvent} event @param {KeyActions} actions */
export function handleKey(event, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = findAction(event, actions);
  if (!action) return;
  action();
  event.preventDefault();
}

/** @param {KeyboardEvent} event @param {KeyActions} actions @returns {(() => void) | null} */
function findAction({ key, shiftKey }, actions) {
  const direction = DIRECTIONS[key];
  if (direction && shiftKey) return () => actions.pan(-PAN * direction[0], PAN * direction[1]);
  if (direction) return () => actions.step(...direction);
  if (key === "Enter" && actions.hasRow()) return actions.pick;
  if (key.toLowerCase() === "p" && actions.extendPath && actions.hasRow()) return actions.extendPath;
  if (key === "+" || key === "=") return () => actions.zoom(ZOOM);
  if (key === "-") return () => actions.zoom(1 / ZOOM);
  if (key === "0") return actions.showAll;
  if (key === "Escape") return actions.cancel;
  return null;
}
