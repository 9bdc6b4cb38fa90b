/** The page of an album: puts its parts together. */

const data = window.ALBUM;
const collection = createCollection(data);
const grid = createGrid(collection);

createTheme(byId("theme"));
const pictures = collection.size === 1 ? "picture" : "pictures";
byId("count").textContent = collection.size < data.wanted ? `${counted(collection.size)} of ${counted(data.wanted)} pictures so far` : `${counted(collection.size)} ${pictures}`;
byId("written").textContent = `${data.by} · ${new Date(1000 * data.written).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`;
createFilters(collection, grid.show);
createLightbox(collection, grid);
