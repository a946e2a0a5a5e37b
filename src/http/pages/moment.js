// Shows each time in the reader's own zone and language; its title keeps UTC.
"use strict";
const local = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short",
});
const localize = (part) => {
  for (const time of part.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = local.format(new Date(time.dateTime));
  }
};
localize(document);
document.body.addEventListener("htmx:load", (event) => localize(event.detail.elt));
