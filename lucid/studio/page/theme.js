/** Light or dark: as the system says, until the button is pressed. */

const KEY = "lucid-theme";

/** @param {HTMLButtonElement} button */
export function createTheme(button) {
  const root = document.documentElement;
  const stored = localStorage.getItem(KEY);
  if (stored) root.dataset.theme = stored;
  button.onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem(KEY, root.dataset.theme);
  };
}
