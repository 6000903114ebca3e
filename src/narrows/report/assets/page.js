// The start of the page's script. Without scripts, the page shows the map as a picture.
document.documentElement.classList.add("scripted");
document.querySelectorAll(".dials").forEach((root) => new DialsView(root));
document.querySelectorAll(".map").forEach((root) => new MapView(root));
document.querySelectorAll(".anatomy").forEach((root) => new AnatomyView(root));
