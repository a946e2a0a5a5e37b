// Asks this browser for a passkey: a form with data-passkey="create" makes one, one with data-passkey="get" proves who it is.
"use strict";
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

// What the server says in base64 the browser takes as bytes, and the other way round.
function decoded({ publicKey }) {
  publicKey.challenge = bytes(publicKey.challenge);
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
  for (const list of [publicKey.excludeCredentials, publicKey.allowCredentials]) {
    for (const one of list ?? []) one.id = bytes(one.id);
  }
  return { publicKey };
}
function encoded(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
    extensions: credential.getClientExtensionResults(),
  });
}

async function send(path, fields) {
  const response = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
  const said = await response.json();
  if (said.problem) throw new Error(said.problem);
  return said;
}

async function run(form) {
  const fields = new FormData(form);
  const { options, sealed } = await send(form.dataset.begin, fields);
  const credential = await navigator.credentials[form.dataset.passkey](decoded(options));
  fields.set("sealed", sealed);
  fields.set("answer", encoded(credential));
  const { next } = await send(form.action, fields);
  location.assign(next);
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const problem = form.querySelector("[role=alert]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      problem.hidden = true;
      run(form).catch((error) => {
        // Whoever closed the browser's question knows that.
        if (error.name === "NotAllowedError") return;
        problem.textContent = error.name === "InvalidStateError" ? "This device has a passkey for you already." : error.message;
        problem.hidden = false;
      });
    });
  }
}
