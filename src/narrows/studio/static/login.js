// The page that asks for the token: the panel that the address names is opened after it.

const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
form.action += location.hash;
