import { useCallback } from "react";
import { Heatmap, Insights, ScoreCard, useMainstayToken } from "./MainstayWidgets.jsx";

async function fetchToken() {
  const answer = await fetch("/mainstay-token");
  return (await answer.json()).token;
}

export default function App() {
  const [token, renew] = useMainstayToken(fetchToken);
  const onInsight = useCallback((insight) => console.log("insight", insight.id, insight.action), []);
  return (
    <main>
      <h1>My app</h1>
      <ScoreCard token={token} onTokenExpired={renew} />
      <Insights token={token} onTokenExpired={renew} onInsight={onInsight} />
      <Heatmap token={token} onTokenExpired={renew} theme="light" />
    </main>
  );
}
