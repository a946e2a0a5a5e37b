// Takes the secret of a link out of the address, where history would keep it, and puts it into the form.
"use strict";
const secret = location.hash.slice(1);
const field = document.querySelector("input[name=link]");
if (field && secret.startsWith("hli_")) {
  field.value = secret;
  history.replaceState(null, "", location.pathname);
  const name = document.querySelector("input[name=name]");
  (name && !name.value ? name : document.querySelector("button.main")).focus();
}
