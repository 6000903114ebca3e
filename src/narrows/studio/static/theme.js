// Before the first paint: the theme of the last visit. Without one the system decides.
{
  const theme = localStorage.getItem("narrows-theme");
  if (theme) document.documentElement.dataset.theme = theme;
}
