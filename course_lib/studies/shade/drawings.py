"""The figures of Robert 2019, Chapters 1 and 2, that hold no measurement."""

from course_lib.studies.drawings import Drawing

DRAWINGS = (
    Drawing(
        "Robert 2019, Fig. 1.1",
        "A model turns an image into a prediction: a class, boxes, a mask for each class, a sentence.",
        "Not drawn: this course keeps to the first of these, the class of an image.",
    ),
    Drawing(
        "Robert 2019, Fig. 1.2",
        "What the layers of a ConvNet detect: edges, textures, shapes, parts, objects.",
        "Not drawn: its pictures are made from a net trained on ImageNet, which the course cannot ship.",
    ),
    Drawing(
        "Robert 2019, Fig. 2.1",
        "Training: examples, a model, its prediction, the loss, and back.",
        "Said as a formula, with the places where a regulariser can act.",
        "shade-regularisation",
    ),
    Drawing(
        "Robert 2019, Fig. 2.2",
        "The layers of VGG-16.",
        "Not drawn: its layers and parameters are counted in Table 2.1.",
        "study-shade-table-2-1",
    ),
    Drawing(
        "Robert 2019, Fig. 2.3",
        "How ConvNets grew, from AlexNet to the ResNets.",
        "Not drawn: the section says what it shows, and Table 2.1 has the counts.",
        "shade-regularisation",
    ),
    Drawing(
        "Robert 2019, Fig. 2.4",
        "Disentangling: a tangled set of faces is mapped to factors that are independent.",
        "Not drawn: it belongs to a chapter on disentangling, which the course does not have yet.",
    ),
)
