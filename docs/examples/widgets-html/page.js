// Your server signs a token for whoever is signed in (see serve.mjs) and hands it to the page.
async function freshToken() {
  const answer = await fetch("/mainstay-token");
  return (await answer.json()).token;
}

async function giveTokens() {
  const token = await freshToken();
  for (const widget of document.querySelectorAll("mainstay-score-card, mainstay-insights, mainstay-heatmap")) {
    widget.setAttribute("token", token);
  }
}

// A token lives at most a day. When it has expired, all that is needed is another one. Once for all
// widgets: each of them says it.
let renewing;
document.addEventListener("mainstay-token-expired", () => {
  renewing ??= giveTokens().finally(() => (renewing = undefined));
});

// What the client does in a widget, in case your app wants to know.
document.addEventListener("mainstay-insight", (event) => {
  console.log("insight", event.detail.id, event.detail.action);
});

giveTokens();
