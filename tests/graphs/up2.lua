return input { "x", 64, 16, 16 }:convtranspose { 32, 2, stride = 2, name = "u2" }
