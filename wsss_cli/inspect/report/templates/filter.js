// Hides the images without the chosen class; without this script all are shown.
const filter = document.getElementById("filter");
const images = [...document.querySelectorAll("[data-classes]")];
filter.closest(".filter").hidden = images.length === 0;
filter.addEventListener("change", () => {
  for (const image of images) {
    const classes = image.dataset.classes.split(" ");
    image.hidden = filter.value !== "" && !classes.includes(filter.value);
  }
  for (const gallery of document.querySelectorAll(".gallery")) {
    const own = [...gallery.querySelectorAll("[data-classes]")];
    gallery.hidden = filter.value !== "" && own.every((image) => image.hidden);
  }
  const left = images.filter((image) => !image.hidden && image.matches("figure")).length;
  document.getElementById("left").textContent = filter.value === "" ? "" : `${left} images`;
});
