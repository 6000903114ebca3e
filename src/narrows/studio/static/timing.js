// Limits on how often a function is called.

/** Run only the last of the calls within a frame.
 * @template {unknown[]} A @param {(...args: A) => void} run @returns {(...args: A) => void} */
export function throttleToFrame(run) {
  /** @type {A | null} */ let latest = null;
  return (...args) => {
    if (!latest) {
      requestAnimationFrame(() => {
        const args = latest;
        latest = null;
        if (args) run(...args);
      });
    }
    latest = args;
  };
}

/** Run a call after a delay in which no other call has followed.
 * @template {unknown[]} A @param {(...args: A) => void} run @param {number} delay milliseconds
 * @returns {(...args: A) => void} */
export function debounce(run, delay) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => run(...args), delay);
  };
}
