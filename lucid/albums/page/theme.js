/** Light or dark: as the system says, until the button is pressed. Runs first, so that nothing flashes. */

const THEME = "lucid-album-theme";

/** What the browser keeps for this page; nothing where it keeps nothing for pages in folders. */
function kept() {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null;
  }
}

/** @param {HTMLButtonElement} button */
function createTheme(button) {
  const root = document.documentElement;
  button.onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem(THEME, root.dataset.theme);
    } catch {
      // It lasts as long as the page.
    }
  };
}

if (["light", "dark"].includes(kept())) document.documentElement.dataset.theme = kept();
