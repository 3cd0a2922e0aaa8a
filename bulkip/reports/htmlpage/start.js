"use strict";
page.startTheme();
items.start();
charts.startPace();
