import { useCallback, useEffect, useRef, useState } from "react";

const MAINSTAY_URL = "http://127.0.0.1:8080";

// Once a page: the script registers the elements.
function useWidgets() {
  useEffect(() => {
    const src = `${MAINSTAY_URL}/widgets.js`;
    if (document.querySelector(`script[src="${src}"]`)) return;
    const script = Object.assign(document.createElement("script"), { src, async: true });
    document.head.append(script);
  }, []);
}

// Asks your own server for a token of whoever is signed in, and for another one when it has expired.
export function useMainstayToken(fetchToken) {
  const [token, setToken] = useState(null);
  const renew = useCallback(() => {
    fetchToken().then(setToken);
  }, [fetchToken]);
  useEffect(renew, [renew]);
  return [token, renew];
}

// React 19 sets attributes of custom elements; the events have names with hyphens, so they are
// listened to by hand, which also works in React 18.
function Widget({ name: Element, token, onTokenExpired, onInsight, ...rest }) {
  const element = useRef(null);
  useWidgets();
  useEffect(() => {
    const widget = element.current;
    const expired = () => onTokenExpired?.();
    const insight = (event) => onInsight?.(event.detail);
    widget.addEventListener("mainstay-token-expired", expired);
    widget.addEventListener("mainstay-insight", insight);
    return () => {
      widget.removeEventListener("mainstay-token-expired", expired);
      widget.removeEventListener("mainstay-insight", insight);
    };
  }, [onTokenExpired, onInsight]);
  return <Element ref={element} server={MAINSTAY_URL} token={token ?? undefined} {...rest} />;
}

export const ScoreCard = (properties) => <Widget name="mainstay-score-card" {...properties} />;
export const Heatmap = (properties) => <Widget name="mainstay-heatmap" {...properties} />;
export const Insights = (properties) => <Widget name="mainstay-insights" {...properties} />;
export const AlertBadge = (properties) => <Widget name="mainstay-alert-badge" {...properties} />;
