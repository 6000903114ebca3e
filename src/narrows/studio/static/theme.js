// Before the first paint: the theme that was chosen here last time. Without one, the system's is shown.
{
  const theme = localStorage.getItem("narrows-theme");
  if (theme) document.documentElement.dataset.theme = theme;
}
