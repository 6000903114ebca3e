// The start of the page's script. Without it the page shows the map as it stands.
document.documentElement.classList.add("scripted");
document.querySelectorAll(".dials").forEach((root) => new DialsView(root));
document.querySelectorAll(".map").forEach((root) => new MapView(root));
