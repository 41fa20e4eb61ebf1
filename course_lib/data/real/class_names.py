"""Names of classes that the files of a set do not hold, or hold in another form."""

DIGITS = tuple("0123456789")

FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")

VOC = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train"),
    "TV monitor",
)

TRAFFIC_SIGNS = (
    *(f"speed limit {v} km/h" for v in (20, 30, 50, 60, 70, 80)),
    *("end of speed limit 80 km/h", "speed limit 100 km/h", "speed limit 120 km/h"),
    *("no overtaking", "no overtaking by lorries", "priority at the next crossing", "priority road"),
    *("give way", "stop", "closed to vehicles", "closed to lorries", "no entry", "danger"),
    *("bend to the left", "bend to the right", "double bend", "uneven road", "slippery road", "road narrows"),
    *("road works", "traffic lights", "pedestrians", "children", "cyclists", "snow", "wild animals"),
    *("end of all limits", "turn right", "turn left", "straight on", "straight on or right"),
    *("straight on or left", "keep right", "keep left", "roundabout", "end of no overtaking"),
    "end of no overtaking by lorries",
)
